"""Where workers on other machines leave word of how far they are; reading this costs nothing."""

from dataclasses import dataclass, field


@dataclass
class Board:
    """Tokens told and not taken yet, by the address of the job; one process keeps it for all."""

    told: dict[str, int] = field(default_factory=dict)

    def tell(self, address: str, tokens: int) -> None:
        """Note that so many more tokens of a job are done."""
        self.told[address] = self.told.get(address, 0) + tokens

    def take(self) -> dict[str, int]:
        """All that was told since it was taken last."""
        taken, self.told = self.told, {}
        return taken
