"""The ways to run Waybill. Code here starts and stops processes; it never decides what a job does."""
