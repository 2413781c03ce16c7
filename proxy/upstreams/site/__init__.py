"""What sites have in common, whichever chat plugin they have: credentials, recovery, refusals."""
