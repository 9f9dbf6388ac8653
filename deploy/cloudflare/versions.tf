terraform {
  required_version = ">= 1.9.0, < 2.0.0" # 1.9 is the first in which a validation may look at other variables

  required_providers {
    cloudflare = {
      source = "cloudflare/cloudflare"
      # One version, because the provider changes its schema in minor versions. `terraform init` writes .terraform.lock.hcl
      # with its checksums: keep it with your configuration.
      version = "5.22.0"
    }
  }
}

# The token comes from the environment (CLOUDFLARE_API_TOKEN) and stands in no file and no state. README.md says what it
# must be allowed to do.
provider "cloudflare" {}
