"""Views of what people edit."""
