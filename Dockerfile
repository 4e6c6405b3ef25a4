# stagegate alone, with the four libraries that it needs: no shell, no package manager.
# docker build -t stagegate . && docker run --rm -v "$PWD:/work" stagegate report
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --profile dist --locked && packaging/image target/dist/stagegate /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
WORKDIR /work
ENV TMPDIR=/tmp
ENTRYPOINT ["/usr/bin/stagegate"]
