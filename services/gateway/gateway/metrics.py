"""What the gateway counts. Labels are members of enums, never a tenant, host or id."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900)

FINISHED = Counter("cro_jobs_finished_total", "Jobs that reached a final state in this process", ["state", "code"])
RETRIED = Counter("cro_jobs_retried_total", "Failures that put a job back in the queue", ["code"])
RELEASED = Counter("cro_jobs_released_total", "Jobs given back without spending an attempt", ["reason"])
FENCED = Counter("cro_jobs_fenced_total", "Results dropped because the job was no longer this worker's")
REAPED = Counter("cro_jobs_reaped_total", "Jobs taken back from a silent worker", ["outcome"])
WORK_SECONDS = Histogram("cro_job_stage_seconds", "Time in one stage of one attempt", ["stage"], buckets=_SECONDS)
QUEUED = Gauge("cro_jobs_queued", "Jobs waiting in the whole queue", ["kind", "priority"])
RUNNING = Gauge("cro_jobs_running", "Jobs in progress in the whole fleet", ["kind", "priority"])
OLDEST_SECONDS = Gauge("cro_jobs_oldest_due_seconds", "How long the first due job has waited", ["kind", "priority"])
AUDIT_LOST = Counter("cro_audit_lost_total", "Mutating calls that could not be written to the audit log")
TICK_FAILURES = Counter("cro_worker_tick_failures_total", "Rounds of a worker's loops that failed", ["loop"])
BROKER_FAILURES = Counter("cro_broker_failures_total", "Commands to Redis that were not answered in time", ["how"])
LIMIT_FALLBACKS = Counter("cro_limit_fallbacks_total", "Requests judged by this process alone, with Redis away")
SHED = Counter("cro_requests_shed_total", "Requests refused before any work was done", ["code"])
ACCEPTED = Counter("cro_jobs_accepted_total", "Requests by how they came by their job", ["kind", "origin"])
WAITING = Gauge("cro_jobs_waiting_callers", "Callers that wait for a job in this process")
STREAMS = Gauge("cro_event_streams_open", "Event streams that are open in this process")
REMOVED = Counter("cro_jobs_removed_total", "Jobs removed with all they had", ["reason"])
WEBHOOK_ATTEMPTS = Counter("cro_webhook_attempts_total", "Attempts to deliver an event", ["outcome"])
WEBHOOK_SECONDS = Histogram("cro_webhook_attempt_seconds", "Time of one attempt to deliver an event", buckets=_SECONDS)
WEBHOOK_FENCED = Counter("cro_webhook_fenced_total", "Attempts whose delivery was no longer this worker's")
WEBHOOK_PENDING = Gauge("cro_webhook_deliveries_pending", "Deliveries that wait for their next attempt")
WEBHOOK_DISABLED = Counter("cro_webhook_endpoints_disabled_total", "Endpoints disabled by us", ["reason"])
