"""A model as a library for the build systems that firmware has; needs nothing of edgekit."""

from edgekit.target.mcu.package.layout import FORMATS, Format, files_of
from edgekit.target.mcu.package.library import Example, Library, library_of
from edgekit.target.mcu.package.names import check_prefix

__all__ = ["FORMATS", "Example", "Format", "Library", "check_prefix", "files_of", "library_of"]
