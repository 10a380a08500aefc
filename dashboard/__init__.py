"""The page that shows the boards, and how they are read in either sink mode."""
