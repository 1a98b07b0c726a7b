"""What pymemcache's HashClient makes of a list of servers.

    hash_client.py homes SERVER...   a key a line in; the server that it lives on, a line each, out
    hash_client.py get SERVER...     a key a line in; its value out, an empty line if there is none
    hash_client.py set SERVER...     a key, a space and its value a line in; nothing out

A server is host:port, or unix:/path. With three slashes pymemcache keeps them all in the server's name.
"""

import sys

from pymemcache.client.hash import HashClient

TTL_S = 60


def main():
    command, *servers = sys.argv[1:]
    client = HashClient(servers, timeout=5, connect_timeout=5, default_noreply=False)
    for line in sys.stdin:
        key, _, value = line.rstrip("\n").partition(" ")
        if command == "homes":
            print(client.hasher.get_node(key))
        elif command == "get":
            print((client.get(key) or b"").decode())
        elif command == "set":
            assert client.set(key, value, expire=TTL_S), key
        else:
            sys.exit(f"no such command: {command}")


if __name__ == "__main__":
    main()
