"""The model behind the site as one that calls tools: it follows the text format for them, or drifts from it."""
