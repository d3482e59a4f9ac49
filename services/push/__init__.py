"""Web push: messages to the devices of a person, by the push services of their browsers."""
