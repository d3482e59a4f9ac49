"""Shell of every page: header, sidebar, drawer, theme, shortcuts, toasts."""
