"""The app as an installed one: manifest, icons, service worker, and the devices that web push reaches."""
