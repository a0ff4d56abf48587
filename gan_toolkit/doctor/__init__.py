"""The doctor: what is the matter with a run, seen from its metrics; see `cases`."""

from gan_toolkit.doctor.doctor import Doctor, misnamed
from gan_toolkit.doctor.finding import Finding, Severity
from gan_toolkit.doctor.visit import consulted, examine

__all__ = ["Doctor", "Finding", "Severity", "consulted", "examine", "misnamed"]
