"""Every error that intvit raises on purpose: one class a cause, each with the exit status of the command line."""


class IntvitError(Exception):
    """Base of all errors a user can meet.

    Args:
        message: what is wrong, in one sentence.
        where: the file, node, option or image that it is about.
        expected: what would have been right.
        found: what was there instead.
        hint: what to try next.
    """

    exit_status = 1
    code = "error"

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.message}" if self.where else self.message]
        for name in ("expected", "found", "hint"):
            value = getattr(self, name)
            if value:
                parts.append(f"  {name}: {value}")
        return "\n".join(parts)

    def to_json(self) -> dict[str, str | None]:
        """Return the fields as a JSON-ready dictionary (what `--json` prints)."""
        fields = ("message", "where", "expected", "found", "hint")
        return {"error": self.code} | {name: getattr(self, name) for name in fields}


class CheckFailed(IntvitError):
    """A check did not hold: two executors differ, a digest is wrong, a proof fails."""

    exit_status = 1
    code = "check_failed"


class UsageError(IntvitError):
    """The command line or an API call asks for something that makes no sense."""

    exit_status = 2
    code = "usage"


class InputFileError(IntvitError):
    """A model, image, labels or calibration file is missing, unreadable or malformed."""

    exit_status = 3
    code = "bad_input_file"


class OutputFileError(IntvitError):
    """An output file can't be written; whatever was there before is untouched."""

    exit_status = 3
    code = "bad_output_file"


class UnsupportedModelError(IntvitError):
    """The model is well-formed but holds something that can't be lowered to integers."""

    exit_status = 4
    code = "model_not_supported"


class ResourceLimitError(IntvitError):
    """A file, image or tensor is larger than the limits allow."""

    exit_status = 5
    code = "resource_limit"
