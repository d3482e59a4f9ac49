"""The same streams shown by other means, as servers of their own: the floor, plain NiceGUI, Streamlit."""
