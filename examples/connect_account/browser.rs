//! A browser that keeps one cookie and follows what it is shown.

use automarket::{
    Context, Error, ErrorKind, Result,
    http::{Call, Reply, ReqwestTransport},
};

/// Connects the first page that is offered.
pub(crate) async fn click_through(base: &str, transport: ReqwestTransport) -> Result<()> {
    let cx = Context::new(transport);
    let reply = cx
        .call(Call::get("connect", &format!("{base}/connect"))?)
        .await?;
    let cookie = header(&reply, "set-cookie")?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let platform = header(&reply, "location")?.to_owned();
    println!("1. {base}/connect sends the browser to the platform");

    let reply = cx.call(Call::get("authorize", &platform)?).await?;
    let back = header(&reply, "location")?.to_owned();
    println!("2. the user agrees, and comes back to /callback");

    let reply = cx
        .call(Call::get("callback", &back)?.header("cookie", &cookie)?)
        .await?;
    let page = String::from_utf8_lossy(&reply.body).into_owned();
    if !reply.ok() {
        return Err(Error::new(ErrorKind::UnexpectedReply, page));
    }
    let offered = page.split("value=\"").skip(1);
    let offered: Vec<&str> = offered.filter_map(|rest| rest.split('"').next()).collect();
    println!(
        "3. {} accounts are offered: {}",
        offered.len(),
        offered.join(", ")
    );

    let first = offered.first().copied().unwrap_or_default();
    let call = Call::post("pick", &format!("{base}/pick"))?
        .header("cookie", &cookie)?
        .form([("account", first)]);
    let reply = cx.call(call).await?;
    print!("4. {}", String::from_utf8_lossy(&reply.body));

    // What is done is done: the same way back leads nowhere.
    let reply = cx
        .call(Call::get("callback", &back)?.header("cookie", &cookie)?)
        .await?;
    print!(
        "5. the same callback again: {} {}",
        reply.status,
        String::from_utf8_lossy(&reply.body)
    );
    Ok(())
}

fn header<'a>(reply: &'a Reply, name: &str) -> Result<&'a str> {
    let value = reply.header(name);
    value.ok_or_else(|| reply.unexpected(format!("no {name}: {}", reply.excerpt())))
}
