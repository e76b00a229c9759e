"""The textbook's consumer: whoever connects is in one group, and is sent what the group is sent."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer


class Everybody(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add("all", self.channel_name)
        await self.accept()

    async def event(self, message: dict[str, str]) -> None:
        await self.send(text_data=message["text"])
