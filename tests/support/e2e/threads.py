import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def in_threads(*works: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run each work in a thread. At the end of the context, set the event, wait for the threads and raise their errors.

    So no thread outlives the servers that it uses.
    """
    done = threading.Event()
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work, done) for work in works]
        try:
            yield
        finally:
            done.set()
            for future in futures:
                future.result()
