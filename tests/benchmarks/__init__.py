"""The long forms of checks that the test run makes in short."""
