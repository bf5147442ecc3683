# Weir in a container: built in one stage, run in another that holds the binary, the libraries it loads and the rules.
# Events, alerts and state live in the volume /data and nowhere else.
#   docker build -t weir .
#   docker run -p 8484:8484 -v weir-data:/data weir
FROM debian:12-slim AS build
WORKDIR /src
COPY .ci/setup .ci/packages.txt .ci/
RUN .ci/setup .ci/packages.txt
COPY CMakeLists.txt CMakePresets.json ./
COPY cep cep
COPY patterns patterns
COPY state state
COPY api api
COPY service service
COPY tests tests
RUN cmake --preset release
RUN cmake --build --preset release --target weir
RUN strip --strip-debug build/release/weir

FROM debian:12-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      ca-certificates curl tzdata \
      libcurl4 libfmt9 libdate-tz3 liblmdb0 libprometheus-cpp-core1.0 librdkafka1 libre2-9 \
      libsimdjson14 libspdlog1.10 libssl3 libtomlplusplus3 libxxhash0 libzstd1 zlib1g \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10484 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin weir
RUN mkdir -p /data && chown weir:weir /data
COPY --from=build /src/build/release/weir /usr/local/bin/weir
COPY rules /usr/share/weir/rules
USER 10484
VOLUME /data
EXPOSE 8484
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD curl -fsS -o /dev/null http://127.0.0.1:8484/livez
# Inside a container the port is reachable only as far as docker publishes it; put a TLS proxy with authentication in front.
CMD ["weir", "serve", "--data", "/data", "--listen", "0.0.0.0:8484", "--insecure"]
