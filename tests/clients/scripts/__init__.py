"""What each client does, in the environment of the clients: nothing of the project is imported here."""
