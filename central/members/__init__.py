"""Members: people with a number and a card, the cards that were given out to them, and how a kiosk gives one out."""
