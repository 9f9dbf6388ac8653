# Which requests are meant. Functions and no regular expressions: those want the business plan.
locals {
  is_ours = "http.host eq \"${var.hostname}\""

  is_api = "${local.is_ours} and starts_with(http.request.uri.path, \"/v1/\")"

  is_stream_path = "(http.request.uri.path eq \"/v1/download/stream\" or (starts_with(http.request.uri.path, \"/v1/download/jobs/\") and ends_with(http.request.uri.path, \"/stream\")))"

  is_archive_path = "(starts_with(http.request.uri.path, \"/v1/download/jobs/\") and ends_with(http.request.uri.path, \"/file\"))"

  is_stream  = "${local.is_ours} and ${local.is_stream_path}"
  is_archive = "${local.is_ours} and ${local.is_archive_path}"

  # A rate limit's expression may look at the path alone on the free plan, at the host from pro on, at the method from
  # business on.
  is_create_by_plan = {
    free       = "http.request.uri.path eq \"/v1/download/jobs\""
    pro        = "${local.is_ours} and http.request.uri.path eq \"/v1/download/jobs\""
    business   = "${local.is_ours} and http.request.uri.path eq \"/v1/download/jobs\" and http.request.method eq \"POST\""
    enterprise = "${local.is_ours} and http.request.uri.path eq \"/v1/download/jobs\" and http.request.method eq \"POST\""
  }
  is_create = local.is_create_by_plan[var.plan]

  # Streams are left out: after a deploy all viewers of an office come back at once, from one address.
  is_limited_call = "${local.is_api} and not ${local.is_stream_path} and not ${local.is_archive_path}"
}
