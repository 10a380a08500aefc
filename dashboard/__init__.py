"""The page that shows the boards, and JSON beside it; what they show is read in `boards`."""
