"""References: what PostgreSQL and Redis achieve without the service."""
