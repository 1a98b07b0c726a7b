# Both stages are of one Debian release, so that the binary finds the C library it was linked against.
FROM rust:1.95-slim-trixie AS build
WORKDIR /source

# The dependencies are compiled in a layer of their own, against an empty program: only a change to one of these files
# compiles them again.
COPY Cargo.toml Cargo.lock build.rs ./
COPY crates/edge/Cargo.toml crates/edge/
COPY crates/top/Cargo.toml crates/top/
COPY tests/support/Cargo.toml tests/support/
RUN mkdir src crates/edge/src crates/top/src tests/support/src && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs crates/edge/src/lib.rs crates/top/src/lib.rs tests/support/src/lib.rs && cargo build --release --locked

# The empty program is forgotten first: cargo compares times, and the real files can be older than what it made of it.
COPY crates crates
COPY migrations migrations
COPY page page
COPY src src
RUN cargo clean --release --package aside --package aside-edge --package aside-top && cargo build --release --locked


FROM debian:trixie-slim
RUN groupadd --gid 10001 aside \
    && useradd --uid 10001 --gid aside --no-create-home --home-dir /data --shell /usr/sbin/nologin aside \
    && install --directory --owner aside --group aside /data
COPY --from=build /source/target/release/aside /usr/local/bin/aside

# A name would do, but an orchestrator that insists on a user other than root can only check a number.
USER 10001:10001
ENV ASIDE_LISTEN=0.0.0.0:8080 \
    ASIDE_DATABASE=sqlite:///data/aside.db
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# The first start creates and seeds the database, which the start period is for.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["aside", "healthcheck"]
ENTRYPOINT ["aside"]
