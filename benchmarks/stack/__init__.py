"""The measured service: throw-away servers, processes and stock."""
