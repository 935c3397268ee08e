"""What every HDF5 file is asked before its numbers are read."""

from __future__ import annotations

from typing import Any

import h5py

from hardware_profiles.errors import InputError

# a file may not ask for more memory than this before its numbers are looked at
LARGEST_ARRAY_BYTES = 1 << 31


def check_self_contained(file: h5py.File, path: str) -> None:
    """Raises InputError for a link, an external or virtual dataset, which could read other files, or a huge array."""

    def check(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise InputError(f"{path}: {name} points to another file; make the file again")
            if item.dtype.kind in "biuf" and item.size is not None and item.size * 8 > LARGEST_ARRAY_BYTES:
                raise InputError(f"{path}: {name} has shape {item.shape}, more than can be read; make the file again")
        if isinstance(item, h5py.Group):
            for key in item:
                if not isinstance(item.get(key, getlink=True), h5py.HardLink):
                    where = f"{name}/{key}".lstrip("/")
                    raise InputError(f"{path}: {where} is a link to another place; make the file again without links")

    check("", file)
    file.visititems(check)
