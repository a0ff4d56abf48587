"""What the fake Hub answers, route by route."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from fake_hub import LFS_SUFFIXES, Fault, Json, Refusal, Repo, Tree, decoded, git_blob

if TYPE_CHECKING:
    from fake_hub import FakeHub


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its own name
        pass

    def answer(self) -> None:
        """Read a request and answer it."""
        parts = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(parts.query)
        self.body = self._read()
        self.fault: Fault | None = None
        elsewhere = self.hub.cdn.endswith(self.headers.get("Host", "-"))
        if elsewhere and "Authorization" in self.headers:
            self.hub.leaks.append(f"{self.command} {self.path}")
        try:
            self.fault = self._fault()
            if self.fault and self.fault.silent_s:
                time.sleep(self.fault.silent_s)
            self._fail()
            with self.hub.lock:
                self._route(parts.path)
        except Refusal as refusal:
            headers = {"X-Error-Message": refusal.message, **refusal.headers}
            self.send(refusal.status, {"error": refusal.message}, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  # the server's names

    def _fail(self) -> None:
        """Refuse where a fault wants it."""
        if self.fault and self.fault.redirect:
            raise Refusal(302, Location=self.fault.redirect)
        if self.fault and self.fault.status:
            raise Refusal(self.fault.status, "", "injected", **self.fault.headers)

    def send(self, status: int, value: object = None, headers: Json | None = None) -> None:
        """Send JSON, or bytes as they are, unless a fault has it otherwise."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        wanted = self.fault is not None and status == self.fault.status
        fault = self.fault if (status < 300 or wanted) and self.command != "HEAD" else None
        if fault and fault.swap is not None:
            data = fault.swap
        length = len(data) if fault is None or fault.claims is None else fault.claims
        self.hub.log.append((self.command, self.path, status))
        told = {} if fault is None else {**fault.headers, "Content-Length": length}
        self.send_response(status)
        if fault and fault.drip_headers is not None:
            for _ in range(10_000):
                self.send_header("X-And-So-On", "…".encode().decode("latin-1"))
                self.flush_headers()
                time.sleep(fault.drip_headers)
        for name, content in {"Content-Length": length, **(headers or {}), **told}.items():
            self.send_header(name, str(content))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self._body(data, fault)
        except OSError:  # the client has heard enough
            self.close_connection = True

    def _body(self, data: bytes, fault: Fault | None) -> None:
        if fault and fault.drip is not None:
            for place in range(len(data)):
                self.wfile.write(data[place : place + 1])
                self.wfile.flush()
                time.sleep(fault.drip)
            return
        self.wfile.write(data if fault is None else data[: fault.cut])
        if fault and (fault.cut is not None or fault.claims is not None):
            self.wfile.flush()
            self.close_connection = True
            if fault.reset:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

    def _read(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _fault(self) -> Fault | None:
        for fault in self.hub.faults:
            if fault.times > 0 and re.search(fault.match, f"{self.command} {self.path}"):
                fault.times -= 1
                return fault
        return None

    def _route(self, path: str) -> None:
        for method, pattern, name in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and (method == self.command or (method, self.command) == ("GET", "HEAD")):
                groups = {k: urllib.parse.unquote(v) for k, v in found.groupdict().items() if v}
                moved = self.hub.moved.get(groups.get("repo", ""))
                if moved:
                    raise Refusal(307, Location=self.path.replace(groups["repo"], moved))
                getattr(self, name)(**groups)
                return
        raise Refusal(404, "", f"no route: {self.command} {path}")

    @property
    def user(self) -> str | None:
        """Whose token came, none without one."""
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            raise Refusal(401, "", "Invalid credentials in Authorization header")
        known: dict[str, str] = self.hub.tokens
        return known.get(token)

    def repo(self, name: str, *, write: bool = False, content: bool = False) -> Repo:
        """Return a repository that the user may see, write to, or read the files of."""
        found, user = self.hub.repos.get(name), self.user
        owner = user == name.partition("/")[0]
        if found is None or (found.private and not owner):
            raise Refusal(404 if user else 401, "RepoNotFound", "Repository not found")
        if write and not owner:
            raise Refusal(403 if user else 401, "", f"You have no right to write to {name}")
        if content and found.gated and not owner and user not in found.grants:
            raise Refusal(403 if user else 401, "GatedRepo", f"Access to {name} is restricted")
        return found

    def whoami(self) -> None:
        if not self.user:
            raise Refusal(401, "", "Invalid username or password.")
        self.send(200, {"type": "user", "name": self.user, "orgs": []})

    def create(self) -> None:
        asked = json.loads(self.body)
        if not self.user:
            raise Refusal(401, "", "Invalid username or password.")
        owner = asked.get("organization") or self.user
        name = f"{owner}/{asked['name']}"
        if owner != self.user:
            raise Refusal(403, "", f"You may not create a model under {owner}")
        url = {"url": f"{self.hub.url}/{name}"}
        if name in self.hub.repos:
            self.send(409, {"error": "You already created this model repo", **url})
            return
        self.hub.repos[name] = Repo(name, private=asked.get("visibility") == "private")
        self.send(200, url)

    def delete(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked.get('organization') or self.user}/{asked['name']}"
        self.repo(name, write=True)
        del self.hub.repos[name]
        self.send(200, {})

    def move(self) -> None:
        asked = json.loads(self.body)
        found = self.repo(asked["fromRepo"], write=True)
        self.hub.moved[found.name] = asked["toRepo"]
        self.hub.repos[asked["toRepo"]] = self.hub.repos.pop(found.name)
        found.name = asked["toRepo"]
        self.send(200, {})

    def settings(self, repo: str) -> None:
        found, asked = self.repo(repo, write=True), json.loads(self.body)
        found.gated = asked.get("gated", found.gated)
        self.send(200, {"gated": found.gated})

    def auth_check(self, repo: str) -> None:
        self.repo(repo, content=True)
        self.send(200, {})

    def validate_yaml(self) -> None:
        self.send(200, {"warnings": [], "errors": []})

    def repo_info(self, repo: str, revision: str = "main") -> None:
        self.send(200, self.hub.info(self.repo(repo), revision))

    def list_repos(self) -> None:
        user, found = self.user, []
        for repo in self.hub.repos.values():
            info = self.hub.info(repo, "main")
            words = self.query.get("search", [""])
            hidden = repo.private and user != info["author"]
            wanted = all(each in info["tags"] for each in self.query.get("filter", []))
            if not hidden and wanted and words[0].lower() in repo.name.lower():
                found.append(info)
        self.send(200, found)

    def refs(self, repo: str) -> None:
        found = self.repo(repo)
        branches, tags = (
            [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": o} for n, o in table.items()]
            for kind, table in (("heads", found.branches), ("tags", found.tags))
        )
        self.send(200, {"branches": branches, "tags": tags, "converts": []})

    def resolve_file(self, repo: str, revision: str, path: str) -> None:
        found = self.repo(repo, content=True)
        commit = found.resolve(revision)
        tree = found.tree(commit)
        if path not in tree:
            raise Refusal(404, "EntryNotFound", "Entry not found", X_Repo_Commit=commit)
        kind, data = tree[path]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{git_blob(data)}"'}
        if kind == "git":
            self.blob(data, headers)
            return
        sha256 = data.decode()
        headers |= {"X-Linked-Etag": f'"{sha256}"', "Location": f"{self.hub.cdn}/cdn/{sha256}"}
        self.send(302, b"Found", headers)

    def cdn(self, sha256: str) -> None:
        if self.headers.get("authorization"):
            self.hub.leaks.append(self.path)
            raise Refusal(400, "", "authorization header leaked to the CDN")
        self.blob(self.hub.lfs[sha256], {"ETag": f'"{sha256}"'})

    def blob(self, data: bytes, headers: Json) -> None:
        """Send a file, or what a range of it asks for."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        if found is None:
            self.send(200, data, headers)
            return
        first = int(found[1])
        if first >= len(data):
            raise Refusal(416, "", "Range Not Satisfiable")
        headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        self.send(206, data[first:], headers)

    def preupload(self, repo: str, revision: str) -> None:
        tree = self.repo(repo, write=True).tree(revision)
        told = []
        for file in json.loads(self.body)["files"]:
            large = file["path"].endswith(LFS_SUFFIXES)
            about: Json = {"path": file["path"], "uploadMode": "lfs" if large else "regular"}
            if file["path"] in tree:
                kind, data = tree[file["path"]]
                about["oid"] = git_blob(data) if kind == "git" else data.decode()
            told.append({**about, "shouldIgnore": False})
        self.send(200, {"files": told})

    def lfs_batch(self, repo: str) -> None:
        self.repo(repo, write=True)
        told = []
        for each in json.loads(self.body)["objects"]:
            about: Json = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.hub.lfs:
                place = f"{self.hub.cdn}/cdn/{each['oid']}"
                about["actions"] = {"upload": {"href": place, "header": {}}}
            told.append(about)
        self.send(200, {"transfer": "basic", "objects": told})

    def cdn_put(self, sha256: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != sha256:
            raise Refusal(400, "", "sha256 mismatch")
        self.hub.lfs[sha256] = self.body
        self.send(200, b"")

    def do_commit(self, repo: str, revision: str) -> None:
        found = self.repo(repo, write=True)
        if revision not in found.branches:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        head, *lines = (json.loads(line) for line in self.body.splitlines() if line.strip())
        tree: Tree = dict(found.tree(revision))
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                tree[value["path"]] = ("git", decoded(value["content"]))
            elif line["key"] == "deletedFile":
                if value["path"] not in tree:
                    raise Refusal(404, "EntryNotFound", f"No {value['path']} to delete")
                del tree[value["path"]]
            else:
                tree[value["path"]] = ("lfs", value["oid"].encode())
        oid = found.commit(revision, tree, head["value"]["summary"])
        url = f"{self.hub.url}/{repo}/commit/{oid}"
        self.send(200, {"success": True, "commitOid": oid, "commitUrl": url})

    def tag(self, repo: str, revision: str) -> None:
        found, name = self.repo(repo, write=True), json.loads(self.body)["tag"]
        if name in found.tags:
            raise Refusal(409, "", f"Reference {name} already exists")
        found.tags[name] = found.resolve(revision)
        self.send(200, {})

    def branch(self, repo: str, revision: str) -> None:
        found = self.repo(repo, write=True)
        if revision in found.branches:
            raise Refusal(409, "", f"Reference {revision} already exists")
        found.branches[revision] = found.resolve("main")
        self.send(200, {})


_REPO = r"(?P<repo>[^/]+/[^/]+?)"
_MODEL = rf"/api/models/{_REPO}"
_REVISION = r"(?P<revision>[^/]+)"
ROUTES = (
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/repos/create", "create"),
    ("DELETE", r"/api/repos/delete", "delete"),
    ("POST", r"/api/repos/move", "move"),
    ("POST", r"/api/validate-yaml", "validate_yaml"),
    ("GET", r"/api/models", "list_repos"),
    ("PUT", f"{_MODEL}/settings", "settings"),
    ("GET", f"{_MODEL}/auth-check", "auth_check"),
    ("GET", f"{_MODEL}/refs", "refs"),
    ("POST", f"{_MODEL}/preupload/{_REVISION}", "preupload"),
    ("POST", f"{_MODEL}/commit/{_REVISION}", "do_commit"),
    ("POST", f"{_MODEL}/tag/{_REVISION}", "tag"),
    ("POST", f"{_MODEL}/branch/{_REVISION}", "branch"),
    ("GET", f"{_MODEL}(?:/revision/{_REVISION})?", "repo_info"),
    ("POST", rf"/{_REPO}\.git/info/lfs/objects/batch", "lfs_batch"),
    ("GET", r"/cdn/(?P<sha256>[0-9a-f]{64})", "cdn"),
    ("PUT", r"/cdn/(?P<sha256>[0-9a-f]{64})", "cdn_put"),
    ("GET", rf"/{_REPO}/resolve/{_REVISION}/(?P<path>.+)", "resolve_file"),
)
