"""The programs that an operator starts, and the settings of each."""

from shared.gateway_settings import GatewaySettings
from shared.processor_settings import ProcessorSettings
from shared.settings import CommonSettings

PROGRAMS: dict[str, type[CommonSettings]] = {"gateway": GatewaySettings, "processor": ProcessorSettings}
