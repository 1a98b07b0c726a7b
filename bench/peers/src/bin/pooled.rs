//! What one writes in an afternoon: an axum handler that takes a memcached client out of a pool for each request.
//!
//!     pooled 127.0.0.1:8080 tcp://127.0.0.1:11211

use std::{env, error::Error, sync::Arc};

use async_channel::{Receiver, Sender};
use async_memcached::{AsciiProtocol, Client};
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many as the load has connections, so that nobody waits for one.
const CLIENTS: usize = 64;

/// The clients that nobody uses at the moment.
struct Pool {
    idle: Receiver<Client>,
    back: Sender<Client>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (address, memcached) = arguments.next().zip(arguments.next()).ok_or("which addresses?")?;
    let (back, idle) = async_channel::bounded(CLIENTS);
    for _ in 0..CLIENTS {
        back.send(Client::new(&memcached).await?).await?;
    }
    let router =
        Router::new().route("/users/{id}", get(user)).with_state(Arc::new(Pool { idle, back }));
    axum::serve(TcpListener::bind(address).await?, router).await?;
    Ok(())
}

async fn user(State(pool): State<Arc<Pool>>, Path(id): Path<i64>) -> Response {
    let Ok(mut client) = pool.idle.recv().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let found = client.get(format!("user:{id}")).await;
    let _ = pool.back.send(client).await;
    match found {
        Ok(Some(value)) => {
            ([(CONTENT_TYPE, "application/json")], value.data.unwrap_or_default()).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
