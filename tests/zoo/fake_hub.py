"""A small Hugging Face Hub in memory, for models only, spoken to by the real client.

    with FakeHub() as hub:                       # http://127.0.0.1:<free port>
        api = HfApi(endpoint=hub.url, token="hf_owner")

`hub.log` holds (method, path, status) of every request, `hub.faults` injects failures, and
`hub.cdn` is a second origin that large files are sent on to, as the real Hub sends them. What the
client says and wants to hear was taken down from huggingface_hub 2.4.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import yaml

LFS_SUFFIXES = (".safetensors", ".pth", ".bin", ".png", ".gif")
DATE = "2026-01-01T00:00:00.000Z"

Json = dict[str, Any]
Tree = dict[str, tuple[str, bytes]]
"""Path to ("git", content) or ("lfs", SHA-256 in hexadecimal digits)."""


def git_blob(data: bytes) -> str:
    """Return git's hash of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str = "", message: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if code:
            self.headers["X-Error-Code"] = code


@dataclass
class Fault:
    """What goes wrong with the next `times` requests that `match` finds, as "METHOD /path"."""

    match: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Bytes of the body that are sent before the connection is closed."""
    reset: bool = False
    """Whether it is reset, not closed, there."""
    drip: float | None = None
    """Seconds between two bytes."""
    drip_headers: float | None = None
    """Seconds between two of headers that do not end."""
    claims: int | None = None
    """A `Content-Length` that is not true."""
    swap: bytes | None = None
    """Sent in place of the body, in that of a refusal too when `status` is set."""
    redirect: str = ""
    silent_s: float = 0.0


class Repo:
    """A repository of one model."""

    def __init__(self, name: str, *, private: bool) -> None:
        self.name = name
        self.private = private
        self.gated: str | bool = False
        self.grants: set[str] = set()
        self.commits: dict[str, Json] = {}
        self.branches: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        attributes = "".join(f"*{suffix} filter=lfs -text\n" for suffix in LFS_SUFFIXES).encode()
        self.commit("main", {".gitattributes": ("git", attributes)}, "initial commit")

    def commit(self, branch: str, tree: Tree, title: str) -> str:
        """Put a tree on a branch and return the commit."""
        parent = self.branches.get(branch)
        said = repr((sorted(tree.items()), parent, title, len(self.commits)))
        oid = hashlib.sha1(said.encode()).hexdigest()
        self.commits[oid] = {"tree": tree, "parent": parent, "title": title}
        self.branches[branch] = oid
        return oid

    def resolve(self, revision: str) -> str:
        """Return the commit that a branch, a tag or a commit is."""
        found = self.branches.get(revision) or self.tags.get(revision)
        if found is None and revision not in self.commits:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found or revision

    def tree(self, revision: str) -> Tree:
        """Return the files of a revision."""
        tree: Tree = self.commits[self.resolve(revision)]["tree"]
        return tree


class FakeHub:
    """The server and all it holds."""

    def __init__(self) -> None:
        from fake_hub_routes import Handler

        self.tokens = {"hf_owner": "owner", "hf_other": "other"}
        self.repos: dict[str, Repo] = {}
        self.moved: dict[str, str] = {}
        self.lfs: dict[str, bytes] = {}
        self.log: list[tuple[str, str, int]] = []
        self.leaks: list[str] = []
        """Requests that brought a token to the other origin."""
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self.sockets: set[socket.socket] = set()
        self.server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        self.server.hub = self
        port = self.server.server_address[1]
        self.url, self.cdn = f"http://127.0.0.1:{port}", f"http://localhost:{port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        for each in self.sockets:  # kept-alive connections outlive it: dead must be really dead
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def hold(self, name: str, folder: Path) -> str:
        """Put the files of a folder into a repository, without a client; return the commit."""
        repo = self.repos.setdefault(name, Repo(name, private=False))
        tree: Tree = dict(repo.tree("main"))
        for file in folder.iterdir():
            content = file.read_bytes()
            if file.name.endswith(LFS_SUFFIXES):
                sha256 = hashlib.sha256(content).hexdigest()
                self.lfs[sha256] = content
                tree[file.name] = ("lfs", sha256.encode())
            else:
                tree[file.name] = ("git", content)
        return repo.commit("main", tree, f"files of {folder.name}")

    def asked(self, method: str = "") -> list[str]:
        """Return the paths asked for so far, by one method or any."""
        return [path for each, path, _ in self.log if not method or each == method]

    def entry(self, path: str, kind: str, data: bytes) -> Json:
        """Return how a file is listed."""
        if kind == "git":
            return {"type": "file", "path": path, "size": len(data), "oid": git_blob(data)}
        size = len(self.lfs[data.decode()])
        pointer = f"oid sha256:{data.decode()}\nsize {size}\n".encode()
        return {
            "type": "file",
            "path": path,
            "size": size,
            "oid": git_blob(pointer),
            "lfs": {"oid": data.decode(), "size": size, "pointerSize": len(pointer)},
        }

    def info(self, repo: Repo, revision: str) -> Json:
        """Return what the Hub says of a repository."""
        commit = repo.resolve(revision)
        tree = repo.tree(commit)
        card = front_matter(tree["README.md"][1]) if "README.md" in tree else {}
        siblings = []
        for path in sorted(tree):
            entry = self.entry(path, *tree[path])
            sibling = {"rfilename": path, "size": entry["size"], "blobId": entry["oid"]}
            if "lfs" in entry:
                sibling["lfs"] = {**entry["lfs"], "sha256": entry["lfs"]["oid"]}
            siblings.append(sibling)
        return {
            "id": repo.name,
            "author": repo.name.partition("/")[0],
            "sha": commit,
            "private": repo.private,
            "gated": repo.gated,
            "downloads": 0,
            "tags": [*card.get("tags", []), *filter(None, [card.get("library_name")])],
            "library_name": card.get("library_name"),
            "pipeline_tag": card.get("pipeline_tag"),
            "cardData": card,
            "createdAt": DATE,
            "lastModified": DATE,
            "siblings": siblings,
        }


class Server(ThreadingHTTPServer):
    """Remembers its connections, and is silent about those that a client drops."""

    daemon_threads = True
    hub: FakeHub

    def process_request(self, request: Any, client_address: Any) -> None:
        self.hub.sockets.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def front_matter(readme: bytes) -> Json:
    """Return the YAML at the head of a card."""
    found = re.match(rb"---\n(.*?)\n---", readme, re.DOTALL)
    return yaml.safe_load(found[1]) if found else {}


def quoted(path: str) -> str:
    """Return a path as it stands in a URL."""
    return urllib.parse.quote(path, safe="")


def decoded(value: str) -> bytes:
    """Return the bytes of base64."""
    return base64.b64decode(value)
