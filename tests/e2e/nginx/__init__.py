"""What callers see who reach Waybill through nginx: with the files that we ship, and with its own defaults."""
