"""Another client of the same memcached: shows users as Aside has cached them.

    read_users.py SERVERS ID...     SERVERS as in `aside --memcached`; needs pymemcache (Debian: python3-pymemcache)

Aside keeps the JSON of `GET /users/42` under `user:42`, and finds the server of a key as pymemcache's HashClient does.
An empty value means that somebody is loading the user at the moment. The 32 client flags are the version of all this
(8 bits), whether the entry says that there is no such user (1 bit), and how many seconds it was given to live (23).

To read is all that another program should do: whoever changes a user goes through Aside, which forgets the entry.
"""

import json
import sys
from typing import NamedTuple

from pymemcache.client.hash import HashClient

VERSION = 1


class Entry(NamedTuple):
    value: bytes
    flags: int

    def __str__(self):
        if not self.value:
            return "being loaded"
        version, negative = self.flags >> 24, self.flags >> 23 & 1
        if version != VERSION:
            return f"no entry of Aside's, or of another version: {self.flags:#x}"
        said = "no such user" if negative else "{name} <{email}>".format(**json.loads(self.value))
        return f"{said}, given {self.flags & 0x7FFFFF} s to live"


class Entries:
    """What pymemcache calls a serde: it is handed the flags that came with a value."""

    def serialize(self, key, value):
        raise TypeError("this program only reads")

    def deserialize(self, key, value, flags):
        return Entry(value, flags)


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: read_users.py SERVERS ID...")
    servers, *ids = sys.argv[1:]
    # HashClient names a Unix socket by its bare path, if it is written with one slash.
    servers = [server.replace("unix:///", "unix:/") for server in servers.split(",")]
    client = HashClient(servers, serde=Entries(), connect_timeout=1, timeout=1)
    keys = [f"user:{int(user)}" for user in ids]
    # One round trip for all keys of a server.
    entries = client.get_many(keys)
    for key in keys:
        print(f"{key}: {entries.get(key, 'absent')}")


if __name__ == "__main__":
    main()
