"""What a new workspace calls critical; its admins change that like all other rules. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Critical:
    """One of the rules: requests of these kinds, or with these commands."""

    note: str
    kinds: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


CRITICAL: tuple[Critical, ...] = (
    Critical("Deletes files or folders", kinds=("delete",)),
    Critical(
        "Deletes by a command",
        commands=(
            "rm *", "rmdir *", "unlink *", "shred *", "trash *", "del *", "rd *", "Remove-Item *", "git clean *",
            "git reset --hard *", "git branch -D *", "find * -delete *", "find * * -delete *", "find * * * -delete *",
            "find * * * * -delete *", "docker system prune *", "docker volume rm *", "docker volume prune *",
            "dropdb *", "mkfs* *", "dd *", "truncate *", "gh repo delete *",
        ),
    ),
    Critical(
        "Publishes something",
        commands=(
            "git push *", "git -* push *", "git -* * push *", "npm publish *", "yarn publish *", "yarn npm publish *",
            "pnpm publish *", "bun publish *", "twine upload *", "python -m twine *", "python3 -m twine *",
            "uv publish *", "poetry publish *", "flit publish *", "hatch publish *", "cargo publish *", "gem push *",
            "docker push *", "docker image push *", "podman push *", "helm push *", "gh release *", "gh pr merge *",
            "gh gist create *", "gh repo create *", "mvn deploy *", "gradle publish *", "dotnet nuget push *",
            "vercel *", "netlify deploy *", "wrangler deploy *", "wrangler publish *", "firebase deploy *",
            "fly deploy *", "flyctl deploy *", "aws s3 cp *", "aws s3 sync *", "mail *", "sendmail *",
        ),
    ),
    Critical(
        "Reaches production",
        commands=(
            "kubectl *", "helm *", "terraform apply *", "terraform destroy *", "terraform -* apply *",
            "terraform -* destroy *", "tofu apply *", "tofu destroy *", "pulumi up *", "pulumi destroy *",
            "ansible *", "ansible-playbook *", "ssh *", "scp *", "sftp *", "heroku *", "aws *", "gcloud *", "az *",
            "doctl *", "systemctl *", "service *", "shutdown *", "reboot *",
        ),
    ),
    Critical(
        "Moves money",
        commands=(
            "stripe *", "paypal *", "bitcoin-cli *", "cast send *", "solana transfer *", "spl-token transfer *",
            "lncli *", "gcloud billing *", "aws ce *", "aws organizations *",
        ),
    ),
)  # fmt: skip
