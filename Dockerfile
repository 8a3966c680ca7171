FROM python:3.13-slim-trixie AS wheel
WORKDIR /src
COPY setup.py pyproject.toml ./
COPY allocation allocation
COPY readmodel readmodel
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .

FROM python:3.13-slim-trixie
ENV PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 allocation \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent allocation
# The dependencies without the code: a change of the code does not rebuild this layer.
COPY setup.py constraints.txt /tmp/dependencies/
RUN pip install --no-cache-dir --only-binary=:all: -c /tmp/dependencies/constraints.txt /tmp/dependencies
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-cache-dir --no-deps --force-reinstall /wheel/*.whl
# A number: an orchestrator can verify that it is not root.
USER 10001:10001
WORKDIR /
ENTRYPOINT ["allocation"]
CMD ["serve"]
