"""The drop-in for `tqdm.contrib.logging`: log lines above the bars."""

from __future__ import annotations

from functools import partial

from tqdm.contrib.logging import logging_redirect_tqdm
from tqdm.contrib.logging import tqdm_logging_redirect as _redirect

from livewatch.tqdm import tqdm

__all__ = ["logging_redirect_tqdm", "tqdm_logging_redirect"]

tqdm_logging_redirect = partial(_redirect, tqdm_class=tqdm)
