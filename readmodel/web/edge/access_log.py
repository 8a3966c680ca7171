"""The access log: one record for each request that the process has answered."""

import logging

from readmodel.web.edge.request import Request

logger = logging.getLogger(__name__)

MESSAGE = "Answered a request"
LONGEST = 500
"""The most characters of a text that a client chooses. Many records can wait for a slow reader of the log."""


class AccessLog:
    def add(self, request: Request, status: int, seconds: float) -> None:
        """Log the answer."""
        fields = {
            "method": request.method[:LONGEST],
            "path": request.path[:LONGEST],
            "status": status,
            "milliseconds": round(seconds * 1_000, 2),
            "bytes": request.sent,
            "actor": request.caller,
            "correlation_id": request.correlation_id,
        }
        if logger.isEnabledFor(logging.INFO):  # A call of `logger.info` also looks for its caller, which costs more.
            logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, MESSAGE, (), None, extra=fields))
