"""What one writes in an afternoon with FastAPI: get it from memcached; if it is not there, query and set."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import aiomcache
from fastapi import FastAPI, Response

CLIENTS = 64  # As many as the load has connections, so that nobody waits for one.
TTL_SECONDS = 3600

cache = aiomcache.Client("127.0.0.1", int(os.environ["MEMCACHED_PORT"]), pool_size=CLIENTS)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{os.environ['ORIGIN_PORT']}") as app.state.origin:
        yield
    await cache.close()


app = FastAPI(lifespan=lifespan)


@app.get("/users/{user_id}")
async def user(user_id: int) -> Response:
    key = f"naive:{user_id}".encode()
    value = await cache.get(key)
    if value is None:
        async with app.state.origin.get(f"/users/{user_id}", raise_for_status=True) as answer:
            value = await answer.read()
        await cache.set(key, value, exptime=TTL_SECONDS)
    return Response(value, media_type="application/json")
