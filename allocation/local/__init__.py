"""Everything on one machine: servers from wheels, and a supervisor. For development, tests and small shops."""
