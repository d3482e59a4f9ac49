"""The shell around every page: header, sidebar, drawer, theme, shortcuts, toasts."""
