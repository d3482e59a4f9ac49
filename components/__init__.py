"""What a page is made of: elements, their looks, and the seam between a subscription and a browser window."""
