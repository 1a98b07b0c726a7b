"""A slow backend: 20 ms a query, eight at once, and it counts them.

    origin.py PORT

`GET /users/ID` is a query, for any ID; `GET /count` is how many there were.
"""

import asyncio
import sys

QUERY_SECONDS = 0.020
QUERIES_MAX = 8
BACKLOG = 4096
USER = (
    '{{"id":{id},"name":"Ada Lovelace","email":"ada.lovelace.{id}@example.com",'
    '"created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"}}'
)


class Origin:
    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(QUERIES_MAX)
        self.count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self.answer(head.split(b" ", 2)[1].decode()))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The other side has had enough.
        finally:
            writer.close()

    async def answer(self, path: str) -> bytes:
        if path == "/count":
            return response(str(self.count), "no-store")
        self.count += 1
        async with self.turns:
            await asyncio.sleep(QUERY_SECONDS)
        return response(USER.format(id=path.rpartition("/")[2]), "max-age=3600")


def response(body: str, cache_control: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: {cache_control}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


async def main(port: int) -> None:
    server = await asyncio.start_server(Origin().serve, "127.0.0.1", port, backlog=BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
