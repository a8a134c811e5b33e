"""Errors a user can act on: each names the thing, the value and the way out."""


class BurnishError(Exception):
    """A fault the user can mend. The command line prints its message alone and exits with status 2."""


class ContractError(BurnishError):
    """Two sides disagree about what an observation or an action means."""


class UnknownNameError(BurnishError):
    """A name that no registry entry, task or field carries."""


class CorruptFileError(BurnishError):
    """A file on disk is missing, truncated or altered."""


class NonFiniteError(BurnishError):
    """NaN or infinity in a loss or an action; the offending batch was saved."""


class RequestError(BurnishError):
    """A message to a policy server that is malformed, or asks for what the policy cannot do."""


class ServerError(BurnishError):
    """A policy server that is gone, refuses a token, is silent, or does not speak as expected."""
