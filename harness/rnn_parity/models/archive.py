"""Zip files in memory: members that are stored as they are, and nothing unpacked."""

from io import BytesIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from rnn_parity_core import FileError

_ENCRYPTED = 1  # bit of a member's flags


class Archive:
    """The members of a zip file by name.

    PyTorch and Keras store members uncompressed. Only such are taken, so that nothing
    read is larger than the file, and all of them together are not either.

    Args:
        data: The bytes of the file.
        origin: Where they come from, for messages.

    Raises:
        FileError: It is no whole zip file, or its members are packed, encrypted, larger
            than it is, of one name, or of a name that leaves the folder.

    """

    def __init__(self, data: bytes, origin: str) -> None:
        self._origin = origin
        try:
            self._file = ZipFile(BytesIO(data))
        except (BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise self._broken(error) from None
        members = self._file.infolist()
        self.names = [member.filename for member in members]
        for member in members:
            name = member.filename
            if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split(
                "/"
            ):
                raise FileError(f"{origin}: its member {name!r} leads out of the file")
            if member.compress_type != ZIP_STORED or member.flag_bits & _ENCRYPTED:
                raise FileError(
                    f"{origin}: its member {name!r} is compressed or encrypted, which "
                    "the framework does not do; save it again there"
                )
        self._known = set(self.names)
        if len(self._known) < len(self.names):
            raise FileError(f"{origin} has two members of one name")
        sizes = sum(max(m.file_size, m.compress_size) for m in members)
        if sizes > len(data):
            raise FileError(
                f"{origin} claims {sizes} bytes in its members, and has {len(data)}"
            )

    def read(self, name: str) -> bytes:
        """Give the bytes of a member.

        Raises:
            FileError: It is not there, or not whole.

        """
        if name not in self._known:
            raise FileError(f"{self._origin} has no member {name!r}")
        try:
            return self._file.read(name)
        except (
            *(BadZipFile, EOFError, ValueError, RuntimeError, OSError),
            OverflowError,
        ) as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> FileError:
        return FileError(
            f"{self._origin} is not a whole zip file ({error}); it was truncated, or "
            "written by something else"
        )
