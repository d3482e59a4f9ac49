"""Components of pages: elements, their presentation, and the connection of subscriptions to browser windows."""
