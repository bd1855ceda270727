# The server of trained runs:
#   docker build -t cladewise .
#   docker run --rm -p 8000:8000 -v "$PWD/runs/hace:/runs/hace:ro" cladewise /runs/hace

FROM python:3.12.11-slim-bookworm AS build
WORKDIR /build
ARG EXTRAS=serve,onnx
# an index with builds of torch for CPUs, which are several GB smaller
ARG TORCH_INDEX=
RUN python -m venv /opt/cladewise \
 && if [ -n "$TORCH_INDEX" ]; then /opt/cladewise/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" torch torchvision; fi
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/cladewise/bin/pip install --no-cache-dir ".[$EXTRAS]"

FROM python:3.12.11-slim-bookworm
COPY --from=build /opt/cladewise /opt/cladewise
RUN useradd --uid 10001 --create-home cladewise \
 && install --directory --owner=cladewise --group=cladewise /cache /corrections /runs
ENV PATH=/opt/cladewise/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CLADEWISE_CACHE=/cache
USER cladewise
WORKDIR /home/cladewise
VOLUME ["/cache", "/corrections"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["cladewise", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--help"]
