# The image of docs/cluster.md: seedwise with PyTorch and Ray, for CPUs and CUDA.
# docker build -t registry/seedwise:1 .
FROM python:3.12-slim

# KubeRay asks a container for its health by wget; torch compiles kernels with a C compiler.
RUN apt-get update && \
    apt-get install -y --no-install-recommends wget gcc libc6-dev && \
    rm -rf /var/lib/apt/lists/*

WORKDIR /opt/seedwise
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src ./src
RUN pip install --no-cache-dir -c constraints.txt torch
RUN pip install --no-cache-dir -c constraints.txt '.[train,ray]'

# Studies are on a volume: docs/cluster.md mounts it here.
WORKDIR /study
CMD ["seedwise", "--help"]
