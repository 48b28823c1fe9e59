# The command, and `serve` as what runs by itself: docker build -t rewardanything .
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p rewardanything-cli --features parquet

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* && useradd --create-home judge
COPY --from=build /src/target/release/rewardanything /usr/local/bin/
USER judge
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s CMD curl -fsS http://127.0.0.1:8000/healthz || exit 1
ENTRYPOINT ["rewardanything"]
CMD ["serve", "--model", "nano", "--host", "0.0.0.0", "--port", "8000"]
