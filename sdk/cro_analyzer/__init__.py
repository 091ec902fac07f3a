"""The client library of CRO Analyzer: conversion reports, pictures and documents of web pages."""

from cro_analyzer import errors
from cro_analyzer.client import AsyncClient, Client
from cro_analyzer.errors import (
    ApiError,
    CallerError,
    ConnectionFailedError,
    CroError,
    PlatformError,
    ProviderError,
    SignatureError,
    TargetError,
    TimedOutError,
    UnreadableAnswerError,
    WaitedTooLongError,
)
from cro_analyzer.models.analyses import AnalysisRead, AnalysisSummary
from cro_analyzer.models.batches import BatchRead, BatchResult, Bookmark, NewResults
from cro_analyzer.models.captures import CaptureRead, CaptureResult, CaptureSummary
from cro_analyzer.models.report import Analysis, Finding, Scores
from cro_analyzer.models.webhooks import WebhookEvent
from cro_analyzer.release import RELEASE
from cro_analyzer.retries import RetryPolicy
from cro_analyzer.webhooks import verify as verify_webhook

__all__ = [
    "RELEASE",
    "Analysis",
    "AnalysisRead",
    "AnalysisSummary",
    "ApiError",
    "AsyncClient",
    "BatchRead",
    "BatchResult",
    "Bookmark",
    "CallerError",
    "CaptureRead",
    "CaptureResult",
    "CaptureSummary",
    "Client",
    "ConnectionFailedError",
    "CroError",
    "Finding",
    "NewResults",
    "PlatformError",
    "ProviderError",
    "RetryPolicy",
    "Scores",
    "SignatureError",
    "TargetError",
    "TimedOutError",
    "UnreadableAnswerError",
    "WaitedTooLongError",
    "WebhookEvent",
    "errors",
    "verify_webhook",
]
