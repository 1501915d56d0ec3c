"""Make the archive of an image without any tool: what `docker save` would write."""

import hashlib
import io
import json
import sys
import tarfile

FOLDERS = ("tmp", "run", "app", "etc", "proc", "sys", "dev", "var/tmp")


def made(name, files):
    """Return the archive of an image.

    Args:
        name: Of the image, with its tag.
        files: Their contents, by name; the only one is what it runs.
    """
    layer = _layer(files)
    config = json.dumps({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": [f"PATH={sys.prefix}/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8"],
            "WorkingDir": "/app",
            "Cmd": [f"/{it}" for it in files],
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
        },
        "history": [{"created": "2026-01-01T00:00:00Z"}],
    }).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    contents = {
        config_name: config,
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    return _tar(contents)


def _layer(files):
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name in FOLDERS:
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
                archive.addfile(entry)
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o755
                archive.addfile(entry, io.BytesIO(content))
        return file.getvalue()


def _tar(contents):
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, content in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return file.getvalue()
