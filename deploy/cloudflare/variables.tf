variable "account_id" {
  description = "The Cloudflare account, which the tunnel belongs to: 32 hexadecimal digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{32}$", var.account_id))
    error_message = "An account id has 32 hexadecimal digits, in small letters (dashboard, Account home, … of the account)."
  }
}

variable "zone_id" {
  description = "The zone that the hostname is in: 32 hexadecimal digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{32}$", var.zone_id))
    error_message = "A zone id has 32 hexadecimal digits, in small letters (dashboard, overview of the domain)."
  }
}

variable "plan" {
  description = "The zone's plan. Rules that it does not have are left out, and say so in README.md."
  type        = string

  validation {
    condition     = contains(["free", "pro", "business", "enterprise"], var.plan)
    error_message = "The plan is free, pro, business or enterprise."
  }
}

variable "hostname" {
  description = "The name by which people reach Waybill: the page, the API, streams."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.hostname))
    error_message = "The hostname is a full name in small letters, without scheme, port or path: waybill.example.org."
  }
}

variable "gateway_url" {
  description = "Where cloudflared finds the gateways: a Service of Kubernetes, or nginx. Their public port, never the admin port. Null: no tunnel and no DNS record, because the zone has its own."
  type        = string
  default     = "http://waybill-gateway"

  validation {
    condition     = var.gateway_url == null || can(regex("^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$", var.gateway_url))
    error_message = "The gateway's URL has a scheme and a host, perhaps a port, and nothing behind it: http://waybill-gateway."
  }
}

variable "downloads" {
  description = "The object store as browsers reach it: its own name, and the host that the name leads to. Null: archives come by the hostname."
  type = object({
    hostname = string
    target   = string
  })
  default = null

  validation {
    condition = var.downloads == null ? true : alltrue([
      for name in [var.downloads.hostname, var.downloads.target] :
      can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", name))
    ])
    error_message = "Both are full names in small letters, without scheme, port or path: files.example.org, minio.example.net."
  }

  validation {
    condition     = var.downloads == null ? true : var.downloads.hostname != var.hostname
    error_message = "Downloads have a name of their own: Cloudflare would proxy them, and count and cut them, under the API's."
  }
}

variable "hsts_seconds" {
  description = "For how long browsers come by HTTPS only, once they were here. 0: not said."
  type        = number
  default     = 31536000

  validation {
    condition     = var.hsts_seconds >= 0 && floor(var.hsts_seconds) == var.hsts_seconds
    error_message = "HSTS takes a whole number of seconds, or 0."
  }
}

variable "creates_per_10_seconds" {
  description = "Requests to /v1/download/jobs itself (creates and lists; on business and enterprise creates alone) from one address in ten seconds."
  type        = number
  default     = 200

  validation {
    condition     = var.creates_per_10_seconds >= 20 && floor(var.creates_per_10_seconds) == var.creates_per_10_seconds
    error_message = "A whole number of at least 20: an office behind one address is one caller here."
  }
}

variable "calls_per_10_seconds" {
  description = "Other calls of the API, streams and archives left out, from one address in ten seconds. Not on the free plan, which has one rule."
  type        = number
  default     = 1000

  validation {
    condition     = var.calls_per_10_seconds >= 100 && floor(var.calls_per_10_seconds) == var.calls_per_10_seconds
    error_message = "A whole number of at least 100: fifty jobs that are polled are 250 calls in ten seconds."
  }
}
